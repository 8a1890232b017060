"""Recipes: functions that return a whole TrainConfig, one file a family; variants are changes of any of them."""
