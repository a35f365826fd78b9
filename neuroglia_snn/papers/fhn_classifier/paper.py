"""The published numbers: accuracies in percent, digits 0 to 9 (arXiv:2302.01636)."""

from __future__ import annotations

#: Table 1: accuracy of each digit with units placed in the trained network, for three values of alpha
#: that the text does not preserve; (training set, test set) of each.
TABLE_1 = (
    (
        (99.0, 1.4, 83.3, 84.6, 90.4, 29.6, 96.9, 56.5, 99.8, 92.3),
        (98.6, 1.5, 82.6, 85.1, 88.0, 31.9, 96.2, 57.5, 99.5, 91.9),
    ),
    (
        (88.9, 16.3, 91.8, 92.7, 98.0, 52.0, 99.9, 80.4, 100.0, 98.9),
        (99.2, 16.4, 90.3, 91.9, 94.3, 54.9, 98.0, 78.6, 99.0, 96.6),
    ),
    (
        (6.7, 0.0, 5.6, 3.2, 1.0, 0.3, 8.6, 0.9, 6.5, 1.36),
        (6.4, 0.0, 5.6, 3.7, 0.6, 1.1, 9.4, 0.8, 6.0, 1.98),
    ),
)
TABLE_1_AVERAGE = ((73.4, 73.3), (83.0, 82.9), (3.4, 3.6))

#: Table 2: trained with the units inside; sets of 10,000 and 1,000, then of 60,000 and 10,000 images.
TABLE_2 = (
    (97.1, 97.5, 89.2, 87.1, 91.9, 85.9, 95.2, 94.4, 0.1, 83.7),
    (96.5, 97.6, 87.1, 85.1, 86.4, 86.2, 86.2, 86.9, 0.0, 80.9),
    (95.9, 96.6, 86.4, 84.2, 88.6, 81.0, 92.2, 92.2, 0.1, 79.5),
    (95.6, 97.8, 86.6, 86.8, 89.1, 81.7, 91.1, 90.5, 0.1, 79.9),
)
TABLE_2_AVERAGE = (82.2, 79.3, 79.7, 79.9)
