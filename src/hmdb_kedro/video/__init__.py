"""What happens to one clip: decoding, flow, encoding, sampling, augmentation."""
