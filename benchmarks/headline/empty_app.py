"""The smallest FastAPI service that answers: what others are compared with."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/readyz")
async def ready() -> dict[str, str]:
    """Answer."""
    return {"health": "ok"}


@app.post("/predict")
async def post_predict(body: dict[str, float]) -> dict[str, int]:
    """Answer a body of numbers."""
    return {"fields": len(body)}
