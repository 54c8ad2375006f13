"""Project files of every kind, read and edited: what a person asks for, in whichever words it is written."""
