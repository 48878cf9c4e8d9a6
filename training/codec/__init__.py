"""The codec, in the order in which it can be learned on a CPU: codes on mel, then sound from codes, then
codes from sound. End to end, quantiser and waveform together do not get there in hours."""
