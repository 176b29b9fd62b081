"""The loop: frames are labelled, a potential is fitted and run, and says what to label next."""
