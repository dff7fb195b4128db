"""Chooses the factor of `bnfold verify` from data: correct folds against planted faults."""
