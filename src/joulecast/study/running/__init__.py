"""Trials in processes of their own: order, claims, outcomes, forecast of the study."""
