"""Test one module at a time, without sockets; folders mirror the product's."""
