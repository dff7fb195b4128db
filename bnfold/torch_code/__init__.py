"""Networks of torch as other people wrote them: found, loaded, and run in the mode that is wanted.

Export and verify both need that; what becomes of a network is theirs to say.
"""
