"""Events and logs of any size, made from counters: the same on every run."""
