// Mistakes in programs that are held against a setup, which show later than where they are.

/** What is wrong, the text and what it is replaced by; text on the line to be told, where that is another. */
interface Mistake {
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly at?: string;
}

interface Program {
  /** In kinds/. */
  readonly name: string;
  readonly needs: 'numpy' | 'torch';
  readonly mistakes: readonly Mistake[];
}

export const programs: readonly Program[] = [
  {
    name: 'offsets',
    needs: 'numpy',
    mistakes: [
      {
        what: 'an offset of the values that points to the keys, in the backward pass',
        from: 'place = s * 3 * C + h * HS + C * 2',
        to: 'place = s * 3 * C + h * HS + C',
      },
    ],
  },
  {
    name: 'next_tokens',
    needs: 'numpy',
    mistakes: [
      {
        what: 'whole columns of an upstream gradient that are changed in place, before it is divided',
        from: 'dlogits[np.arange(N), goal] -= 1',
        to: 'dlogits[:, goal] -= 1',
      },
    ],
  },
  {
    name: 'stored_blocks',
    needs: 'numpy',
    mistakes: [
      {
        what: 'keys beyond the last one that a block does not hide',
        from: '            s = np.where(columns < len(k), s, -np.inf)\n',
        to: '',
        at: 's = own @ load(k, columns).T * scale',
      },
      {
        what: 'a factor in what a function is given to store',
        from: 'store(dv, columns, dvs)',
        to: 'store(dv, columns, dvs * scale)',
      },
    ],
  },
  {
    name: 'two_tilings',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a sum of a tile that is not brought to the new maximum, written to the rows of a tile',
        from: 'own * e.sum(axis=1)',
        to: 'e.sum(axis=1)',
      },
    ],
  },
  {
    name: 'plain_lists',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a scale of the width in a list of numbers that grows',
        from: 'row.append(dot / math.sqrt(A))',
        to: 'row.append(dot / A)',
      },
    ],
  },
  {
    name: 'letter_keys',
    needs: 'numpy',
    mistakes: [
      {
        what: 'the gradient of the queries’ weights under the letter of the keys',
        from: 'gr["k"] = np.einsum("bnd,bhna->hda", x, dk)',
        to: 'gr["k"] = np.einsum("bnd,bhna->hda", x, dq)',
      },
      {
        what: 'a mask that scores are multiplied by',
        from: 's = np.where(mask, s, -np.inf)',
        to: 's = s * mask',
      },
      {
        what: 'outputs that are called their gradient, which is twice as large',
        from: 'd_out = 2 * out',
        to: 'd_out = out',
      },
      {
        what: 'a Jacobian of scores, one of them first',
        from: 'a = p[b, h, i, : i + 1]',
        to: 'a = s[b, h, i, : i + 1]',
      },
    ],
  },
  {
    name: 'softmax_alone',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a scale that a layer’s caller does not give back',
        from: 'ds = self.scale * self.softmax.backward(dp)',
        to: 'ds = self.softmax.backward(dp)',
      },
    ],
  },
  {
    name: 'with_room',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a sum in an array with room for more that is assigned',
        from: 'dkeys[:, : t + 1] +=',
        to: 'dkeys[:, : t + 1] =',
      },
      {
        what: 'the last head of each group in the place of their sum',
        from: 'dk = dkeys.sum(axis=0)[:N]',
        to: 'dk = dkeys[-1][:N]',
      },
      {
        what: 'the values of the query’s own token for all that it sees',
        from: 'o[:, t] = p @ values[: t + 1]',
        to: 'o[:, t] = (p[:, :, None] * values[t]).sum(axis=1)',
      },
    ],
  },
  {
    name: 'by_letters',
    needs: 'torch',
    mistakes: [
      {
        what: 'a derivative by hand at another place, beside autograd’s',
        from: 'gs = gz * (1 - t**2)',
        to: 'gs = gz * (1 - torch.tanh(2 * t) ** 2)',
      },
    ],
  },
  {
    name: 'yielded',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a log-sum-exp without the maximum, in tiles that a generator gives',
        from: 'lse[a:b] = top + np.log(total)',
        to: 'lse[a:b] = np.log(total)',
      },
      {
        what: 'a mask by positions in the tile, after the exponentials',
        from: 'seen = np.arange(c, d)[None, :] <= np.arange(a, b)[:, None]',
        to: 'seen = np.arange(d - c)[None, :] <= np.arange(b - a)[:, None]',
      },
    ],
  },
  {
    name: 'sliced_tiles',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a log-sum-exp without the maximum, stored and loaded by functions',
        from: 'store(lse, rows, top + np.log(total))',
        to: 'store(lse, rows, np.log(total))',
      },
      {
        what: 'a mask that is missing where the weights are made again',
        from: 'p = np.exp(s - own[:, None]) * visible(rows, columns)',
        to: 'p = np.exp(s - own[:, None])',
      },
    ],
  },
  {
    name: 'normed_calls',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a function that is given what was to be normalised first',
        from: 'attend(h, w)\n    return x',
        to: 'attend(x, w)\n    return x',
        at: 'y, cache = attend(x',
      },
      {
        what: 'a mask that is written row by row, behind maxima',
        from: 'keep[i, : i + 1] = True',
        to: 'keep[i, : i + 2] = True',
      },
    ],
  },
  {
    name: 'dropped_out',
    needs: 'numpy',
    mistakes: [
      {
        what: 'what was dropped behind the output, passed back',
        from: 'return da * self.keep / (1 - self.p)',
        to: 'return da / (1 - self.p)',
      },
    ],
  },
  {
    name: 'softmax_layer',
    needs: 'numpy',
    mistakes: [
      {
        what: 'exponentials that are kept for the weights, under a loss of the outputs',
        from: 'self.p = p',
        to: 'self.p = e',
      },
      {
        what: 'gradients of which the last sequence’s replace the others',
        from: 'grads[name] += own[name]',
        to: 'grads[name] = own[name]',
      },
    ],
  },
  {
    name: 'left_over',
    needs: 'numpy',
    mistakes: [
      {
        what: 'scores twice as large, under the name that they had',
        from: 's = s / 2',
        to: 's = s * 2',
      },
      {
        what: 'what another loop ended with',
        from: 'dv[h] = kept[h].T @ do[h]',
        to: 'dv[h] = p.T @ do[h]',
      },
    ],
  },
  {
    name: 'entrywise',
    needs: 'numpy',
    mistakes: [
      {
        what: 'entries of joined biases’ gradients that are assigned',
        from: 'db[o] += d',
        to: 'db[o] = d',
      },
    ],
  },
  {
    name: 'chained',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a factor that is not passed back, before and after which there are nodes',
        from: 'self.grad += out.grad * by',
        to: 'self.grad += out.grad',
        at: 'self.grad += out.grad\n\n        out.back = back\n        return out\n\n    def softmax',
      },
    ],
  },
  {
    name: 'beside_autograd',
    needs: 'torch',
    mistakes: [
      {
        what: 'a factor in what is returned without a name, beside autograd’s gradients',
        from: 'gz = gs / 3**0.5',
        to: 'gz = gs * 3**0.5',
      },
    ],
  },
  {
    name: 'keys_first',
    needs: 'numpy',
    mistakes: [
      {
        what: 'weights that are made again and never divided',
        from: 'w = np.exp(s - top[here]) / total[here]',
        to: 'w = np.exp(s - top[here])',
      },
    ],
  },
  {
    name: 'joined',
    needs: 'numpy',
    mistakes: [
      {
        what: 'gradients that are joined in another order, behind loops that run backwards',
        from: 'in (dq, dk, dv)]',
        to: 'in (dq, dv, dk)]',
        at: 'np.concatenate(merged',
      },
      {
        what: 'a bias of which every entry gets the sum of all',
        from: 'self.db += dy.sum(axis=0)',
        to: 'self.db += dy.sum()',
      },
    ],
  },
  {
    name: 'paths',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a path to the input that is given back and never added',
        from: 'dx += self.v.backward(p.T @ dy)',
        to: 'self.v.backward(p.T @ dy)',
      },
    ],
  },
  {
    name: 'headed',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a part that begins at the head and not at its first feature',
        from: 'key = x[s, C + h * W : C + (h + 1) * W]',
        to: 'key = x[s, C + h : C + h + W]',
      },
      {
        what: 'a sum of numbers that keeps the last',
        from: 'total += math.exp',
        to: 'total = math.exp',
      },
    ],
  },
  {
    name: 'stepped',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a scale that is missing in the gradient of what is moved',
        from: 'keepdims=True)) / np.sqrt(D)',
        to: 'keepdims=True))',
        at: 'dS = P',
      },
    ],
  },
  {
    name: 'engine',
    needs: 'numpy',
    mistakes: [
      {
        what: 'the derivative of an exponential, beside numbers that are objects',
        from: 'self.grad += out.grad * out.data',
        to: 'self.grad += out.grad * self.data',
      },
      {
        what: 'a gradient that replaces those of other paths',
        from: 'self.grad += out.grad @ other.data.T',
        to: 'self.grad = out.grad @ other.data.T',
      },
      {
        what: 'the derivative of a quotient',
        from: 'self.data / other.data**2',
        to: 'self.data / other.data',
        at: 'self.data / other.data, other',
      },
    ],
  },
  {
    name: 'generated',
    needs: 'numpy',
    mistakes: [
      {
        what: 'terms that replace those of other tokens',
        from: 'dkeys[: t + 1] += np.outer(dz, query)',
        to: 'dkeys[: t + 1] = np.outer(dz, query)',
      },
      {
        what: 'a loop in the other order, so that sums are read too early',
        from: 'for t in reversed(range(n)):\n    query',
        to: 'for t in range(n):\n    query',
        at: 'for t in range(n):\n    query',
      },
    ],
  },
  {
    name: 'sized',
    needs: 'numpy',
    mistakes: [
      {
        what: 'exponentials that a function gives back undivided',
        from: 'return e / e.sum(axis=1, keepdims=True)',
        to: 'return e',
      },
      {
        what: 'scores that are given without their mask to a function of scores alone',
        from: 'np.sqrt(width) + bias',
        to: 'np.sqrt(width)',
        at: 'weights = softmax(scores)',
      },
      {
        what: 'a size taken for the width',
        from: 'tokens, width = q.shape[0], q.shape[1]',
        to: 'tokens, width = q.shape[0], q.shape[0]',
      },
      {
        what: 'a number that hides nothing',
        from: 'np.full((tokens, tokens), -np.inf)',
        to: 'np.full((tokens, tokens), -1e-9)',
      },
      {
        what: 'one tensor that is saved twice',
        from: '(x, q, k, v, weights)\n\n',
        to: '(x, q, k, k, weights)\n\n',
      },
      {
        what: 'a loop that never runs',
        from: 'range(0, len(dy), 2)',
        to: 'range(len(dy), 0, 2)',
      },
    ],
  },
  {
    name: 'slices',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a part of an array that was made and not filled, written wrongly',
        from: 'dv[rows] = p.T @ do',
        to: 'dv[rows] = p.T @ do * 2',
      },
    ],
  },
  {
    name: 'recomputed',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a sum that starts from something else',
        from: 'dx = np.zeros_like(x)',
        to: 'dx = dy.copy()',
      },
      {
        what: 'a table made when it is imported',
        from: 'POSITION[None, :] <= POSITION[:, None]',
        to: 'POSITION[None, :] < POSITION[:, None] + 2',
      },
      {
        what: 'a table that is transposed',
        from: 'EARLIER = POSITION[None, :] <= POSITION[:, None]',
        to: 'EARLIER = POSITION[:, None] <= POSITION[None, :]',
      },
      {
        what: 'arguments that are exchanged',
        from: '    p = weights(q, k, lengths)',
        to: '    p = weights(k, q, lengths)',
      },
      {
        what: 'arguments that are exchanged, two calls above',
        from: 'attention_grads(do, q, k, v, LENGTHS)',
        to: 'attention_grads(do, q, v, k, LENGTHS)',
      },
      {
        what: 'other lengths, handed on to the mask',
        from: '    dq, dk, dv = attention_grads(do, q, k, v, LENGTHS)',
        to: '    dq, dk, dv = attention_grads(do, q, k, v, (T, T))',
      },
      {
        what: 'a tuple that is packed out of order',
        from: 'return merge(o) @ params["o"], (q, k, v, o)',
        to: 'return merge(o) @ params["o"], (k, q, v, o)',
      },
      {
        what: 'names that are paired with others',
        from: '(("q", dq), ("k", dk), ("v", dv))',
        to: '(("q", dq), ("k", dv), ("v", dk))',
      },
      {
        what: 'the sign of an argument',
        from: 'dx, grads = backward(y - target',
        to: 'dx, grads = backward(target - y',
      },
    ],
  },
  {
    name: 'grouped',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a list that gives each head its keys',
        from: 'of_head = [h // 2 for h in range(H)]',
        to: 'of_head = [h % G for h in range(H)]',
      },
      {
        what: 'the number of the shared head',
        from: 'shared = h * len(k) // len(q)',
        to: 'shared = h % len(k)',
      },
      {
        what: 'a loop over the heads of another group',
        from: 'for h in range(kv * size, (kv + 1) * size):',
        to: 'for h in range(kv, len(q), len(k)):',
      },
      {
        what: 'the gradient of another head',
        from: 'dp = do[h] @ v[kv].T',
        to: 'dp = do[h - 1] @ v[kv].T',
      },
    ],
  },
  {
    name: 'closures',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a mask made when it is imported',
        from: 'HIDDEN = DISTANCE < 0',
        to: 'HIDDEN = DISTANCE > 0',
      },
      {
        what: 'the results of a closure out of order',
        from: 'return dq, dk, dv\n\n    return o',
        to: 'return dk, dq, dv\n\n    return o',
      },
      {
        what: 'a closure that is not called',
        from: 'dz = softmax_back(np.einsum("hid,hjd->hij", do, v))',
        to: 'dz = np.einsum("hid,hjd->hij", do, v)',
      },
    ],
  },
  {
    name: 'function',
    needs: 'torch',
    mistakes: [
      {
        what: 'outputs saved for values',
        from: 'ctx.save_for_backward(q, k, v, p, o)',
        to: 'ctx.save_for_backward(q, k, torch.matmul(p, v), p, o)',
      },
      {
        what: 'a window that is one too wide',
        from: '(back < size)',
        to: '(back <= size)',
      },
      {
        what: 'tensors that are saved out of order',
        from: 'ctx.save_for_backward(q, k, v, p, o)',
        to: 'ctx.save_for_backward(q, v, k, p, o)',
      },
      {
        what: 'values for outputs in a backward function',
        from: 'delta = (do * o).sum(dim=-1, keepdim=True)',
        to: 'delta = (do * v).sum(dim=-1, keepdim=True)',
      },
      {
        what: 'a part of a fused tensor for another',
        from: 'v = qkv[..., 2 * width:]',
        to: 'v = qkv[..., width:2 * width]',
      },
      {
        what: 'arguments of an autograd function that are exchanged',
        from: 'Local.apply(q, k, v, 3, d**-0.5)',
        to: 'Local.apply(k, q, v, 3, d**-0.5)',
      },
      {
        what: 'a scale that is given to a function',
        from: 'Local.apply(q, k, v, 3, d**-0.5)',
        to: 'Local.apply(q, k, v, 3, width**-0.5)',
      },
      {
        what: 'no scale in a backward function',
        from: 'dq = torch.matmul(ds, k) * ctx.scale',
        to: 'dq = torch.matmul(ds, k)',
      },
      {
        what: 'a scale of the tokens, kept for the backward pass',
        from: 'ctx.scale = scale',
        to: 'ctx.scale = q.shape[-2] ** -0.5',
      },
    ],
  },
  {
    name: 'samples',
    needs: 'numpy',
    mistakes: [
      {
        what: 'all heads written by each',
        from: 'self.p[b, h] = z\n',
        to: 'self.p[b, :] = z\n',
      },
      {
        what: 'a path that replaces another in an array',
        from: 'dx[b] += dk @ self.params["wk"].T',
        to: 'dx[b] = dk @ self.params["wk"].T',
      },
      {
        what: 'a gradient added to another',
        from: 'g["wk"] += x[b].T @ dk',
        to: 'g["wq"] += x[b].T @ dk',
      },
      {
        what: 'weights that are overwritten',
        from: 'dz = p * (dp - (p * dp).sum(axis=1)[:, None])',
        to: 'p *= dp - (p * dp).sum(axis=1)[:, None]\n                dz = p',
      },
      {
        what: 'three names for one array',
        from: 'dq, dk, dv = (np.empty_like(self.q[b]) for _ in range(3))',
        to: 'dq = dk = dv = np.empty_like(self.q[b])',
      },
      {
        what: 'one array under all keys',
        from: 'self.grads = {name: np.zeros_like(w) for name, w in self.params.items()}',
        to: 'self.grads = dict.fromkeys(self.params, np.zeros((width, width)))',
      },
    ],
  },
  {
    name: 'relative',
    needs: 'numpy',
    mistakes: [
      {
        what: 'distances of the other sign',
        from: 'distance = key - query',
        to: 'distance = query - key',
      },
      {
        what: 'distances clipped at nought',
        from: 'np.clip(distance, -FAR, FAR) + FAR',
        to: 'np.clip(distance, 0, FAR) + FAR',
      },
      {
        what: 'a table looked up for the other side',
        from: 'w["bias"][of].transpose(2, 0, 1)',
        to: 'w["bias"][of].transpose(2, 1, 0)',
      },
      {
        what: 'an index that names entries twice',
        from: 'np.add.at(g["bias"], of, ds.transpose(1, 2, 0))',
        to: 'g["bias"][of] += ds.transpose(1, 2, 0)',
      },
      {
        what: 'a gradient that is transposed',
        from: 'g[name] = x.T @ merge(d)',
        to: 'g[name] = merge(d).T @ x',
      },
    ],
  },
  {
    name: 'lambdas',
    needs: 'numpy',
    mistakes: [
      {
        what: 'functions that see the last slope',
        from: 'lambda i, j, slope=slope:',
        to: 'lambda i, j:',
      },
      {
        what: 'a zip out of order',
        from: 'for each in zip(dos, qs, ks, vs, ps)',
        to: 'for each in zip(dos, ks, qs, vs, ps)',
      },
    ],
  },
  {
    name: 'kernels',
    needs: 'numpy',
    mistakes: [
      {
        what: 'heads that are not merged',
        from: '                to[c:c + W] = x[a:a + W]',
        to: '                to[a:a + W] = x[a:a + W]',
      },
    ],
  },
  {
    name: '../right/log_temperature',
    needs: 'numpy',
    mistakes: [
      {
        what: 'the sign of a logarithm',
        from: "logits = np.exp(p['log_temperature'])",
        to: "logits = np.exp(-p['log_temperature'])",
      },
    ],
  },
  {
    name: '../right/micro_batches',
    needs: 'torch',
    mistakes: [
      {
        what: 'gradients cleared in each pass',
        from: '    loss.backward()',
        to: '    model.zero_grad()\n    loss.backward()',
      },
    ],
  },
  {
    name: 'tiles',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a log-sum-exp that is cut to whole numbers',
        from: 'o, lse = np.empty_like(v), np.empty(n)',
        to: 'o, lse = np.empty_like(v), np.full(n, 0)',
      },
      {
        what: 'the last tiles left out',
        from: 'for j in range(0, end, BK):',
        to: 'for j in range(0, end - BK, BK):',
      },
      {
        what: 'tiles that a test passes over',
        from: '            s = hidden(q[i:end] @',
        to: '            if j > i:\n                break\n            s = hidden(q[i:end] @',
      },
      {
        what: 'the row maxima alone kept',
        from: 'lse[i:end] = top + np.log(total)',
        to: 'lse[i:end] = top',
      },
      {
        what: 'positions in a function that is called from several places',
        from: 'np.arange(j, j + s.shape[1])',
        to: 'np.arange(i, i + s.shape[1])',
      },
    ],
  },
  {
    name: 'picked',
    needs: 'numpy',
    mistakes: [
      {
        what: 'the number of another group, by which keys are picked',
        from: 'group = h // (HEADS // SHARED)',
        to: 'group = h % SHARED',
      },
      {
        what: 'the number of another group in the backward pass',
        from: 'of = h * SHARED // HEADS',
        to: 'of = h % SHARED',
      },
      {
        what: 'scores kept for weights',
        from: 'kept.append((keys, values, p, dropped))',
        to: 'kept.append((keys, values, s, dropped))',
      },
      {
        what: 'a factor of dropout without its brackets',
        from: 'factor = own / (1 - rate)',
        to: 'factor = own / 1 - rate',
      },
      {
        what: 'gradients of which each replaces the one before',
        from: 'total[name] += part[name]',
        to: 'total[name] = part[name]',
      },
      {
        what: 'an entry of a dictionary that is written over several lines',
        from: '"v": x.T @ dv,',
        to: '"v": x.T @ (dv - dk),',
      },
    ],
  },
  {
    name: 'beside',
    needs: 'numpy',
    mistakes: [
      {
        what: 'the 1 beside the sum that is not shifted',
        from: 'e.sum(axis=-1, keepdims=True) + np.exp(-top))',
        to: 'e.sum(axis=-1, keepdims=True) + 1)',
      },
    ],
  },
  {
    name: 'retained',
    needs: 'torch',
    mistakes: [
      {
        what: 'a sum that is thrown away',
        from: 'de += torch.ones_like(e) * de_sum',
        to: 'de + torch.ones_like(e) * de_sum',
      },
      {
        what: 'a gradient by hand that autograd has right',
        from: 'dk = ds.T @ q',
        to: 'dk = ds @ q',
      },
    ],
  },
  {
    name: 'scalars',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a sum that begins anew for each key',
        from: '    dot = 0.0\n    for j in range(i + 1):\n',
        to: '    for j in range(i + 1):\n        dot = 0.0\n',
        at: '        dot = 0.0',
      },
      {
        what: 'a sum that begins anew for no query',
        from: 'for i in range(n):\n    dot = 0.0\n',
        to: 'dot = 0.0\nfor i in range(n):\n',
        at: 'dot = 0.0',
      },
    ],
  },
  {
    name: 'objects',
    needs: 'numpy',
    mistakes: [
      {
        what: 'one dictionary for the gradients of all objects',
        from: 'rng, kept=None):',
        to: 'rng, kept={}):',
        at: 'def __init__(self, rows, columns, rng, kept={}):',
      },
    ],
  },
  {
    name: 'cleared',
    needs: 'numpy',
    mistakes: [
      {
        what: 'gradients that are cleared before they are read',
        from: 'layer.clear()\ny = layer.forward(x)\ndx = layer.backward(dy)\n',
        to: 'y = layer.forward(x)\ndx = layer.backward(dy)\nlayer.clear()\n',
        at: 'layer.clear()',
      },
      {
        what: 'a scale that is no scale of attention’s',
        from: 'scale = 1 / np.sqrt(W)',
        to: 'scale = 1 / int(np.sqrt(W))',
      },
      {
        what: 'values of another bias, which the gradient of the scores does not feel',
        from: 'v = split(x @ self.at["wv"] + self.at["bv"])',
        to: 'v = split(x @ self.at["wv"] + self.at["bk"])',
      },
    ],
  },
  {
    name: 'backwards',
    needs: 'numpy',
    mistakes: [
      {
        what: 'one array in all places of a list',
        from: 'ps = []\nfor q, k in zip(seen["q"], seen["k"]):\n    e = np.exp(q @ k.T / size**0.5)\n    ps.append(e / e.sum(axis=1, keepdims=True))',
        to: 'ps, room = [], np.empty((n, n))\nfor q, k in zip(seen["q"], seen["k"]):\n    e = np.exp(q @ k.T / size**0.5)\n    np.divide(e, e.sum(axis=1, keepdims=True), out=room)\n    ps.append(room)',
        at: 'ps.append(room)',
      },
      {
        what: 'gradients of the heads in the order in which the loop meets them',
        from: 'grads["o"].insert(0, os[h].T @ dy)',
        to: 'grads["o"].append(os[h].T @ dy)',
      },
      {
        what: 'an array that is made anew for each head',
        from: 'for h in reversed(range(heads)):\n',
        to: 'for h in reversed(range(heads)):\n    dx = np.zeros_like(x)\n',
        at: '    dx = np.zeros_like(x)',
      },
      {
        what: 'a loop that ends before the last token',
        from: 'for t in range(n):',
        to: 'for t in range(n - 1):',
      },
    ],
  },
  {
    name: 'kept',
    needs: 'numpy',
    mistakes: [
      {
        what: 'scores that are handed on in place of their hyperbolic tangent',
        from: 'q, k, v, bent, lse)\n\n',
        to: 'q, k, v, s, lse)\n\n',
        at: 'return p @ v, (q, k, v, s, lse)',
      },
      {
        what: 'log-sum-exps without the maximum',
        from: 'lse = top + np.log(total)',
        to: 'lse = np.log(total)',
      },
    ],
  },
  {
    name: 'heads',
    needs: 'numpy',
    mistakes: [
      {
        what: 'a mask that fills in what hides nothing, before a function for the softmax',
        from: 's = np.where(seen, s, -np.inf)',
        to: 's = np.where(seen, s, 0.0)',
      },
    ],
  },
  {
    name: 'rotated',
    needs: 'numpy',
    mistakes: [
      {
        what: 'tables that are returned under each other’s names',
        from: 'return np.cos(theta), np.sin(theta)',
        to: 'return np.sin(theta), np.cos(theta)',
      },
      {
        what: 'an array that has two names, written while it is read',
        from: 'turned = np.empty_like(t)',
        to: 'turned = t',
      },
      {
        what: 'an axis by default',
        from: 'def normalised(z, axis=-1):',
        to: 'def normalised(z, axis=-2):',
      },
      {
        what: 'an axis in a call',
        from: 'p = normalised(s)',
        to: 'p = normalised(s, 1)',
      },
    ],
  },
  {
    name: 'limited',
    needs: 'numpy',
    mistakes: [
      {
        what: 'numbers that are exchanged in a call',
        from: 'y, lse = forward(q, k, v, 4, 2.5)',
        to: 'y, lse = forward(q, k, v, 2.5, 4)',
      },
      {
        what: 'a log-sum-exp without the maximum',
        from: 'block_lse = top + np.log(',
        to: 'block_lse = np.log(',
      },
      {
        what: 'queries that are scaled through a view',
        from: 'rows = q[first:first + BLOCK] / np.sqrt(K)',
        to: 'rows = q[first:first + BLOCK]\n        rows /= np.sqrt(K)',
        at: '        rows /= np.sqrt(K)',
      },
      {
        what: 'positions in the block where those among all tokens are',
        from: 'i = first + np.arange(len(q))[:, None]',
        to: 'i = np.arange(len(q))[:, None]',
      },
    ],
  },
  {
    name: 'buffered',
    needs: 'torch',
    mistakes: [
      {
        what: 'a mask that is kept as a buffer',
        from: 'torch.ones(longest, longest).tril()',
        to: 'torch.ones(longest, longest).triu()',
      },
    ],
  },
  {
    name: 'stretched',
    needs: 'numpy',
    mistakes: [
      {
        what: 'the frequencies between are blended by another share',
        from: 'smooth = (OLD / wavelen - LOW) / (HIGH - LOW)',
        to: 'smooth = (OLD / wavelen - LOW) / HIGH',
      },
      {
        what: 'slow frequencies are made faster',
        from: 'new.append(freq / FACTOR)',
        to: 'new.append(freq * FACTOR)',
      },
      {
        what: 'wavelengths of half a turn',
        from: 'wavelen = 2 * math.pi / freq',
        to: 'wavelen = math.pi / freq',
      },
      {
        what: 'a rotation that is not passed back',
        from: 'turned(ds @ kr, cos, -sin)',
        to: 'turned(ds @ kr, cos, sin)',
      },
    ],
  },
  {
    name: 'modern',
    needs: 'numpy',
    mistakes: [
      {
        what: 'factors of the queries that begin with another place',
        from: 'pos = np.arange(1, n + 1)',
        to: 'pos = np.arange(2, n + 2)',
        at: 'tau = np.maximum',
      },
      {
        what: 'a factor of the queries that is not passed back',
        from: 'dq = dqs * tau[:, None]',
        to: 'dq = dqs',
      },
      {
        what: 'keys that get the gradient of other queries',
        from: 'dk = ds.transpose(0, 2, 1) @ qs',
        to: 'dk = ds.transpose(0, 2, 1) @ q',
      },
      {
        what: 'a gate of another base',
        from: 'gate = 1 / (1 + np.exp(-(x @ w_g)))',
        to: 'gate = 1 / (1 + np.exp2(-(x @ w_g)))',
      },
      {
        what: 'a gate that is not passed back, in a helper',
        from: 'do = split(dog * gate)',
        to: 'do = split(dog)',
      },
      {
        what: 'another slope of the sigmoid',
        from: 'dlogits = dog * o * gate * (1 - gate)',
        to: 'dlogits = dog * o * (1 - gate)',
      },
      {
        what: 'the sign of the gradient of a sink',
        from: 'dsinks = -(p_sink * delta).sum((1, 2))',
        to: 'dsinks = (p_sink * delta).sum((1, 2))',
      },
    ],
  },
  {
    name: 'differential',
    needs: 'numpy',
    mistakes: [
      { what: 'the sign of λ’s first number', from: 'lam = l1 - l2 +', to: 'lam = l1 + l2 +' },
      {
        what: 'a share that is not taken away',
        from: 'da = np.stack([dA, -lam * dA], axis=1)',
        to: 'da = np.stack([dA, lam * dA], axis=1)',
      },
      {
        what: 'the sign of λ’s gradient',
        from: 'dlam = -(dA * a[:, 1]).sum()',
        to: 'dlam = (dA * a[:, 1]).sum()',
      },
      {
        what: 'the length that a norm of heads divides by',
        from: 'o * r**2 * (u * o)',
        to: 'o * r * (u * o)',
        at: 'do = r * (u',
      },
    ],
  },
];
