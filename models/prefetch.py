"""Fetch memory into the processor's cache ahead of its use. This part is compiled into functions under `@kernel`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

READ, SOON = 0, 3
"""Arguments of LLVM's `prefetch`: for reading, and to keep in all caches."""


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(typing: Any, array: Any, row: Any) -> Any:  # noqa: ARG001  numba passes its typing context
    """Begin to read the memory where `array[row]` starts, a line of 64 bytes, and do not wait for it.

    A kernel that knows which scattered rows it needs next has them at hand when it gets there. A row beyond the end is
    harmless.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = cgutils.unpack_tuple(builder, held.strides)[0]
        byte = ir.IntType(8).as_pointer()
        place = builder.gep(builder.bitcast(held.data, byte), [builder.mul(arguments[1], stride)])
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        call = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        builder.call(call, [place, number(READ), number(SOON), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
