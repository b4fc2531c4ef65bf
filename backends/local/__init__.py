"""Models of the transformers library on this machine, forward only: masked, causal, seq2seq."""
