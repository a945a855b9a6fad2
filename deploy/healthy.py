#!/usr/bin/env python3
"""Exit with 0 when HEALTH_URL answers with a status below 400: the health check of every container."""

import os
import sys
from urllib.request import urlopen

SECONDS = 4

if __name__ == "__main__":
    try:
        urlopen(os.environ["HEALTH_URL"], timeout=SECONDS).close()
    except (OSError, KeyError) as error:
        sys.exit(f"not healthy: {error!r}")
