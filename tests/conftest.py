"""What holds for every test."""

import os

# numpy reads it when it is loaded. On a busy machine its threads wait for each other: a training
# of one second takes ten.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
