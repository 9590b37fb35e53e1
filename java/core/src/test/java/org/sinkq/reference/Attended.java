package org.sinkq.reference;

/** A token as attention sees it, dequantized where it lives in a page. */
record Attended(int position, double[] key, double[] value) {}
