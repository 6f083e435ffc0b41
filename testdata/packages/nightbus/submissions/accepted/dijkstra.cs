using System;
using System.Collections.Generic;
using System.IO;

static class Dijkstra
{
    static void Main()
    {
        var words = Console.In.ReadToEnd().Split(new[] { ' ', '\n' }, StringSplitOptions.RemoveEmptyEntries);
        int position = 0;
        int count = int.Parse(words[position++]), roads = int.Parse(words[position++]);
        var neighbours = new List<KeyValuePair<int, long>>[count + 1];
        for (int place = 0; place <= count; place++) neighbours[place] = new List<KeyValuePair<int, long>>();
        while (roads-- > 0)
        {
            int first = int.Parse(words[position++]), second = int.Parse(words[position++]);
            long length = long.Parse(words[position++]);
            neighbours[first].Add(new KeyValuePair<int, long>(second, length));
            neighbours[second].Add(new KeyValuePair<int, long>(first, length));
        }
        var distance = new long[count + 1];
        for (int place = 0; place <= count; place++) distance[place] = -1;
        var queue = new SortedSet<Tuple<long, int>> { Tuple.Create(0L, 1) };
        while (queue.Count > 0)
        {
            var nearest = queue.Min;
            queue.Remove(nearest);
            if (distance[nearest.Item2] >= 0) continue;
            distance[nearest.Item2] = nearest.Item1;
            foreach (var road in neighbours[nearest.Item2])
                if (distance[road.Key] < 0) queue.Add(Tuple.Create(nearest.Item1 + road.Value, road.Key));
        }
        Console.WriteLine(distance[count]);
    }
}
