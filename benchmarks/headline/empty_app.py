"""The smallest FastAPI service that answers: the unit of memory and start-up time."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/readyz")
async def ready() -> dict[str, str]:
    """Answer that the service is ready."""
    return {"health": "ok"}


@app.post("/predict")
async def post_predict(body: dict[str, float]) -> dict[str, int]:
    """Answer a body of numbers."""
    return {"fields": len(body)}
