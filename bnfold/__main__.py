"""`python -m bnfold` is `bnfold`."""

from bnfold.cli.supervised import main

main()
