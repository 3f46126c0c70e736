"""Image -> pyramid. One file per paper family; `zoo.registry` lists them."""
