"""Things with weights, randomness or state that Keras lacks. Every layer is registered for serialisation as `zoo>Name`."""
