"""The stages of the loop: take in, batch, learn, publish, save. `service.pipeline` calls them in this order."""
