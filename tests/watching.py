"""Networks that are known to look at one thing."""

import keras
import numpy as np
from keras import layers

# Class 0 goes by the first channel, class 1 by the second.
BY_CHANNEL = np.array([[3.0, 0.0], [0.0, 3.0]], np.float32)


def watching_channels(shape):
    """Return a network that means two channels over cells of 4 × 4 and knows nothing else."""
    in_time = len(shape) == 4
    inputs = keras.Input(shape)
    pool = layers.AveragePooling3D((1, 4, 4)) if in_time else layers.AveragePooling2D(4)
    convolution = layers.Conv3D if in_time else layers.Conv2D
    x = pool(convolution(2, 1, name="channels")(inputs))
    x = (layers.GlobalAveragePooling3D if in_time else layers.GlobalAveragePooling2D)()(x)
    x = layers.Dropout(0.5)(x)
    model = keras.Model(inputs, layers.Dense(2, activation="softmax", name="out")(x))
    kernel = np.zeros(model.get_layer("channels").get_weights()[0].shape, np.float32)
    kernel[..., 0, 0] = kernel[..., 1, 1] = 1
    model.get_layer("channels").set_weights([kernel, np.zeros(2, np.float32)])
    model.get_layer("out").set_weights([BY_CHANNEL, np.zeros(2, np.float32)])
    return model
