"""The training program: one run of one recipe, from titles to a journal. It knows nothing of the harness."""

import os

# Threads that spin while they wait cost a factor of ten beside other load; the setting is read when torch is
# first imported and changes no result.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
