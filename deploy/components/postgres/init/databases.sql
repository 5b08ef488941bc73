-- The image runs this once, when the volume is new. The image itself creates the store's database `lab`.
CREATE DATABASE mlflow;
CREATE DATABASE prefect;
