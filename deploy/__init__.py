"""Kubernetes manifests, and the Python code that writes parts of them and the table of sizes in docs/deploy.md."""
