"""What both sides of Milvus' protocol know: numbers of types, and how packed numbers begin."""

VARCHAR, JSON, FLOAT_VECTOR = 21, 23, 101
"""The numbers that Milvus has for the types of the columns."""


def packed_head(size: int) -> bytes:
    """What stands before `size` bytes of packed numbers in field 1, in protobuf's wire format."""
    length = bytearray(b"\x0a")
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    length.append(size)
    return bytes(length)
