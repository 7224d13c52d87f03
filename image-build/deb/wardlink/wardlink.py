#!/usr/bin/python3 -I
"""wardlink: the program, with its own libraries before Debian's, whatever the environment says."""

import sys

sys.path.insert(0, "/opt/wardlink/lib")

from agent.cli.entry import main

sys.exit(main())
