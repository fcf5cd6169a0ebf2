"""The 2019 way, kept as the control: plain Django under uvicorn workers, with an unpaginated list. What `make attack` shows
of the service must fail here, or it shows nothing."""
