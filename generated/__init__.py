"""Events and logs of any size, made of counting alone: the same on every run."""
