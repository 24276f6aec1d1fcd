"""Side-by-side measurements: `python -m benchmarks`.

`python -m` puts the checkout's root first on the path, where the `interp` folder has no compiled extension. What a user
installs is what is measured: the root goes to the end, so that it serves only where tamis is not installed.
"""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parent.parent)
sys.path[:] = [entry for entry in sys.path if entry not in ("", ROOT)] + [ROOT]
