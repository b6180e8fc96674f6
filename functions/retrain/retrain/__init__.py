"""The retrain function: snapshot, train, judge, promote. Never reachable by HTTP."""
