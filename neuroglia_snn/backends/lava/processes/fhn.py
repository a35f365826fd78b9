"""FitzHugh-Nagumo neurons."""

from __future__ import annotations

from neuroglia_snn.backends.lava.ready import CataloguePopulation, models_of


class FHN(CataloguePopulation):
    """FitzHugh-Nagumo neurons with a piecewise-linear activator and multiplicative noise.

    Equations A1-A5 of Zhao et al. (Phys. Rev. Research 4, 043069, 2022), as the model
    ``noise_induced_memory`` of the catalogue has them: one step of the stochastic Heun scheme in each
    Lava step, with the inputs held over it. Generated from the model's file.

    Parameters
    ----------
    shape : (rows, columns)
    seed : int
        Of the noise.
    dt : str, optional
        Time of one Lava step, such as ``"0.001 ms"``.
    units : mapping, optional
        What one count of the integers that arrive at an input is worth in the fixed-point model, by
        input. Without it a count of ``I_app`` is worth 1, so that a weight of 60 is a current of 60 in
        both models, and the other inputs count as their partners here send: ``a_L_U`` and ``a_L_V``
        from `laplacian`, ``a_I_astro`` from `LiRinzel` (``I_glio`` each). ``{"I_astro": 1}`` is for sources of your own.
    **parameters
        Of the model, by name: ``sigma2=0.0``, ``D_u=100``, ``k=2``; numbers or text with a unit.

    Ports (all of one value a neuron, row-major)
    -----
    a_L_U, a_L_V : InPort
        Mean of the neighbours' U (V) less the own: connect with `laplacian`.
    a_I_app, a_I_astro : InPort
        Currents; an input that is not connected is 0. In the fixed-point model, see ``units``.
    s_out : OutPort
        1 while U is above the spike threshold.
    s_U, s_V : OutPort
        The states, as graded spikes.
    s_n_active, s_n_delayed : OutPort
        1 if the neuron was above threshold less than 5 ms ago (40 to 45 ms ago): for `LiRinzel`.

    Vars
    ----
    U, V, last_above, n_spikes. In the fixed-point model they are integers; `formats` says of what.
    """

    population = "neuron"


PyFHNFloat, PyFHNFixed = models_of(FHN, "FHN", __name__)
