"""What a model can say: the labels of Fashion-MNIST and the answer for everything else."""

FASHION_MNIST: tuple[str, ...] = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

NONE_OF_THESE = "none of these"
