"""`tuiface bench gpu`: whether the kernels are right and exact on a card, and how fast everything is there.

rows.py            what is measured: a row, a case that gives one, a section of cases
workload.py        how much of everything: all of it on a card, crumbs of it in tests
targets.py         what is wanted of a row
timing.py          medians and spreads, by the wall clock or by the device's
bench.py           what each section is given
costs.py           what a picture must compute and move, kernel by kernel
card.py            the card, a build from nothing
parity.py          every kernel's result beside PyTorch's operators
digests.py         the same bytes in five processes, under memory pressure, after a thousand other requests
ceilings.py        what the card can do at best
pictures.py        pictures by size, batch and mode; through the product; locks; memory
kernel_times.py    each kernel alone
work.py            training, heads, learning
sections.py        all sections in order, and the process that each of them runs in
runner.py          five minutes, shared among them
report.py          lines, a table, JSON
roofline.py        a picture of how near the ceilings everything is

Each section runs in a process of its own: a kernel that hangs or that spoils the driver's context costs no other
section. Sections run on any device; on a CPU they show that they work, and their figures mean nothing.
"""
