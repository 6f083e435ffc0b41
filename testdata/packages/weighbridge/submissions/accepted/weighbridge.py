def heaviest(weights):
    best = ending = weights[0]
    for weight in weights[1:]:
        ending = max(ending, 0) + weight
        best = max(best, ending)
    return best
