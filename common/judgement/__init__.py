"""The judge: evidence on rows becomes a verdict on a candidate. Pure functions, without reading or writing."""
