"""What every network of every bundle is trained with: the commands, told once."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recipe:
    """A bundle: its images, and role and arguments of each network.

    images    name of the image set, for cards
    files     of the images, as the commands call them; the first has the test images
    levels    noise levels at which the ladder's card says how good it is
    coded     the network by whose encoder real codes are measured; "": none are
    size      side that pictures are brought to, to be measured on
    has_test  whether the first file has test images
    half      whether large weights are stored as float16 (half the file; they are computed with as float32)
    halved    networks whose large weights are, where the others' are not
    beside    networks that the command of another makes too: name -> that other one
    work      folder of its runs under runs/; "": its own name
    """

    images: str
    files: tuple[str, ...]
    networks: dict[str, tuple[str, str]]
    levels: tuple[float, ...]
    coded: str = "encoder"
    size: int | None = None
    has_test: bool = True
    half: bool = True
    halved: tuple[str, ...] = ()
    beside: dict[str, str] = field(default_factory=dict)
    work: str = ""

    def weights(self, name: str) -> str:
        """Where a network lies in the folder of the runs."""
        if name in self.beside:
            return f"{self.beside[name]}/{name}.safetensors"
        return f"{name}/model.safetensors"

    def command(self, name: str) -> str:
        """The command that trains a network."""
        run = self.beside.get(name, name)
        family, rest = self.networks[name][1].split(" ", 1)
        data = " ".join(f"--data {file}" for file in self.files)
        return f"ppgn train {family} {data} {rest} --out {run}"


ENCODER = "--encoder encoder/model.safetensors"
ROLES = {
    "encoder": "x -> h1 -> h, whose codes the generators invert",
    "classifier": "the condition p(y | x)",
    "judge": "scores samples; never a condition",
    "captioner": "p(sentence | x): text to image",
    "generator": "G of Joint PPGN-h, noise 0.5",
    "inverter": "G of activation maximisation: from SqueezeNet's features to pictures",
    "generator-noiseless": "G of Noiseless Joint PPGN-h",
    "dae": "r(h), the prior of PPGN-h",
    "ladder": "D(h; sigma), the prior of the annealed walk",
    "image-dae": "r(x), the prior of PPGN-x",
    "prior": "D(z; sigma) on latents of TAEF2, the prior of the annealed walk",
}
ROLES |= {
    "pixelcnn": "log p(x), exactly, of black and white images; a generator of the noise that draws them",
    "diagonal": "the same, by LSTMs along diagonals",
    "row": "the same, by LSTMs from row to row",
    "vae": "G(z) and q(z | x), with a bound of log p(x) of black and white images",
    "gan": "G(z), trained against the discriminator",
    "discriminator": "log-odds of being real, of the GAN's last step",
    "vaegan": "G(z) and q(z | x), likeness measured in a discriminator's features",
}
NOISES = (0, 0.01, 0.05, 0.1, 0.25, 0.5)  # of the generators that `ppgn ablate training-noise` sweeps
NOISY = {f"generator-{noise}": f"G of Joint PPGN-h, noise {noise}" for noise in NOISES}
ROLES |= NOISY
BESIDE = {"discriminator": "gan"}
FIRST, SECOND = "0:30000", "30000:60000"
A, B = "0:25000", "25000:50000"
DIGITS = {
    "encoder": f"classifier --part {FIRST} --seed 0",
    "classifier": f"classifier --part {FIRST} --seed 1",
    "judge": f"classifier --arch residual --part {SECOND} --seed 2 --steps 1500",
    "captioner": f"captioner --part {FIRST} --seed 3",
    "generator": f"joint {ENCODER} --part {FIRST} --seed 0 --noise 0.5",
    "generator-noiseless": f"joint {ENCODER} --part {FIRST} --seed 0 --noise 0 --weight-h 0",
    "dae": f"dae {ENCODER} --part {FIRST} --seed 0 --sigma 1.87",
    "ladder": f"dae {ENCODER} --part {FIRST} --seed 0 --sigma-min 0.1 --sigma-max 20 --steps 20000 --batch-size 512",
    "image-dae": f"dae --part {FIRST} --seed 0 --sigma 0.3 --steps 4000 --batch-size 128",
    **{f"generator-{x}": f"joint {ENCODER} --part {FIRST} --seed 0 --noise {x} --steps 6000" for x in NOISES},
}
FASHION = {
    "encoder": f"classifier --part {FIRST} --seed 0 --steps 4000",
    "classifier": f"classifier --part {FIRST} --seed 1 --steps 4000",
    "judge": f"classifier --arch residual --part {SECOND} --seed 2 --steps 3000",
    "generator-noiseless": f"joint {ENCODER} --part {FIRST} --seed 0 --noise 0 --weight-h 0",
    "ladder": f"dae {ENCODER} --part {FIRST} --seed 0 --sigma-min 0.1 --sigma-max 20 --steps 20000 --batch-size 512",
}
FAST = "--flip --precision bfloat16"
CIFAR = {
    "encoder": f"classifier --width 32 --code 256 --part {A} --seed 0 --steps 4000 {FAST}",
    "classifier": f"classifier --width 32 --code 256 --part {A} --seed 1 --steps 3000 {FAST}",
    "judge": f"classifier --arch residual --width 32 --part {B} --seed 2 --steps 3000 {FAST}",
    "generator-noiseless": (
        f"joint {ENCODER} --part {A} --seed 0 --noise 0 --weight-h 0 --weight-h1 3 --weight-image 10 --weight-gan 0.15 "
        f"--widths 96,48,24 --steps 12000 {FAST}"
    ),
    "ladder": (
        f"dae {ENCODER} --part {A} --seed 0 --sigma-min 0.1 --sigma-max 20 --steps 10000 --batch-size 512 "
        "--precision bfloat16"
    ),
}
NATURAL = {
    "prior": (
        f"dae --encoder natural_taef2.safetensors --architecture TinyAutoencoder --part {A} --seed 0 --sigma-min 0.05 "
        "--sigma-max 20 --crop 8 --steps 9000 --batch-size 64 --learning-rate 1e-3 --precision bfloat16"
    ),
}
SQUEEZENET = {
    "inverter": (
        "joint --size 128 --encoder imagenet_squeezenet1_0.safetensors --architecture torchvision/squeezenet1_0 "
        "--cut 8,13,4 --noise 0 --widths 192,128,96,64,32,16 --steps 4000 --batch-size 16 --seed 0 " + FAST
    ),
}
GAN = "gan --seed 0 --steps 9000 --learning-rate 4e-4 --r1 0.3 --penalty-every 4 --precision bfloat16"
DENSE = "--arch dense --seed 0 --batch-size 256 --learning-rate 2e-3 --average 0.9995 --precision bfloat16"
BASELINES = {
    "mnist-pixelcnn": {
        "pixelcnn": "pixelcnn --seed 0 --steps 4500 --average 0.998 --precision bfloat16",
    },
    "mnist-pixelrnn": {
        "diagonal": "pixelrnn --seed 0 --steps 18000",
        "row": "pixelrnn --arch row --layers 4 --seed 0 --steps 27000",
    },
    "mnist-vae": {"vae": f"vae --latent 50 --steps 60000 --warmup 5000 {DENSE}"},
    "mnist-gan": {"gan": GAN, "discriminator": GAN},
    "mnist-vaegan": {
        "vaegan": ("vaegan --width 16 --norm batch --seed 0 --steps 5500 --learning-rate 5e-4 --precision bfloat16")
    },
}
PICTURES = ("cifar10_jpeg.npz", "tiny_imagenet_20k.zip", "imagenet1000_256.zip")


def _with_roles(arguments: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {name: (ROLES[name], text) for name, text in arguments.items()}


RECIPES = {
    "mnist": Recipe(
        "MNIST",
        ("mnist.npz",),
        _with_roles(DIGITS),
        (0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
        half=False,
        halved=("image-dae", *NOISY),
    ),
    "fashion": Recipe("Fashion-MNIST", ("fashion_mnist.npz",), _with_roles(FASHION), (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)),
    "cifar10": Recipe("CIFAR-10", ("cifar10_jpeg.npz",), _with_roles(CIFAR), (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)),
    "squeezenet": Recipe(
        "ImageNet",
        (*3 * ("imagenet1000_256.zip",), "tiny_imagenet_20k.zip"),
        _with_roles(SQUEEZENET),
        (),
        coded="inverter",
        size=128,
        has_test=False,
    ),
    **{
        name: Recipe("MNIST", ("mnist.npz",), _with_roles(networks), (), coded="", beside=BESIDE, work="baselines")
        for name, networks in BASELINES.items()
    },
    "natural": Recipe(
        "CIFAR-10 and ImageNet", PICTURES, _with_roles(NATURAL), (0.1, 0.2, 0.5, 1.0, 2.0, 5.0), coded=""
    ),
}
