"""The shared folder of unpacked wheels: placing, checking and collecting entries."""
