-- Run once, when the volume is new. The store's own database, `lab`, is made by the image.
CREATE DATABASE mlflow;
CREATE DATABASE prefect;
