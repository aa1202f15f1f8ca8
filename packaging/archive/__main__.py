"""Start hirte when the one file is given to an interpreter: python3 hirte MODE [ARGUMENT...]."""

import boot

boot.run()
