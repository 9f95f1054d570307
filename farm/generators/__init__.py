"""Images that farm makes itself: noise, fractals, GANs. Knows images, no models that are judged."""
