"""How good forecasts are: errors and interval coverage on finished runs."""
