"""The distribution of relaxation times: a spectrum without a model."""
