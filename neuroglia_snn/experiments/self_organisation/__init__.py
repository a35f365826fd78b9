"""Self-organised learning under the free-energy principle (Isomura et al. 2023).

Everything here is computation on arrays: files are the study's. Shapes are (session, trial, ...);
a source, electrode or ensemble is on (1) or off (0) in a trial.
"""
