"""Li-Rinzel astrocytes."""

from __future__ import annotations

from neuroglia_snn.backends.lava.ready import CataloguePopulation, models_of


class LiRinzel(CataloguePopulation):
    """Astrocytes: calcium by Li and Rinzel, with IP3 production where neurons drive them.

    Equations A6-A16 of Zhao et al. (Phys. Rev. Research 4, 043069, 2022), as the model
    ``noise_induced_memory`` of the catalogue has them: one step of the Heun scheme in each Lava step.
    The calcium fluxes are look-up tables in fixed point. Generated from the model's file.

    Parameters
    ----------
    shape : (rows, columns)
    seed : int
        For the form's sake: the equations have no noise.
    dt : str, optional
        Time of one Lava step (0.1 ms by the model), a whole multiple of 0.002 ms.
    units : mapping, optional
        What one count of an integer at an input is worth, as of `FHN`; without it a count is a neuron.
    **parameters
        Of the model, by name: ``v4="0.3 uM/second"``.

    Ports (all of one value an astrocyte, row-major)
    -----
    a_n_active, a_n_delayed : InPort
        How many of the watched neurons are active (were 40 to 45 ms ago).
    s_out : OutPort
        1 while neurons drive the astrocyte.
    s_Ca, s_IP3, s_h : OutPort
        The states, as graded spikes.
    s_I_astro : OutPort
        The gliotransmitter current for the watched neurons.

    Vars
    ----
    Ca, IP3, h, last_drive, n_active, n_delayed. In the fixed-point model they are integers; `formats`
    says of what.
    """

    population = "astrocyte"


PyLiRinzelFloat, PyLiRinzelFixed = models_of(LiRinzel, "LiRinzel", __name__)
