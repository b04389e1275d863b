"""The class names of Fashion-MNIST, and the label of images that belong to no class."""

FASHION_MNIST: tuple[str, ...] = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

NONE_OF_THESE = "none of these"

SHOES: tuple[str, ...] = ("Sandal", "Sneaker", "Ankle boot")
"""The kinds of shoe, which photos of shoes from above often do not tell apart."""
