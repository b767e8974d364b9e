"""The archive that the MVTec AD 2 server takes: written, packed, checked, handed on."""
