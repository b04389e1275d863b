from modiste.api import compare as compare
from modiste.api import evaluate as evaluate
from modiste.api import load as load
from modiste.api import recipe as recipe
from modiste.api import train as train

__version__: str
