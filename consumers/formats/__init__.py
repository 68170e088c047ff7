"""Turn the bytes of a Kafka record into fields where they are not JSON as the contract defines it.

A value goes through `framing` (which schema), `schemas` (that schema, compiled once), a body (`avro`, `protobuf`,
`json_body`: bytes to plain values) and `mapping` (where the fields are). `topic_reader` puts these together.
"""
