import Data.List (foldl')

-- Multiplies the series by 1 / (1 - x^coin): each term takes the one a coin before it.
spend :: [Int] -> Int -> [Int]
spend ways coin = result
  where
    result = zipWith add ways (replicate coin 0 ++ result)
    add left right = (left + right) `mod` 1000000007

main :: IO ()
main = do
  target : _ : coins <- map read . words <$> getContents
  let start = 1 : replicate target 0
      forced ways = foldl' (flip seq) () ways `seq` ways
  print (last (foldl' (\ways coin -> forced (spend ways coin)) start coins))
