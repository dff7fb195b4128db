"""bnfold within other people's pipelines; each file needs the package of its name."""
