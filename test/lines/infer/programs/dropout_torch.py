import torch
import torch.nn.functional as F
torch.manual_seed(2)
x=torch.randn(2,5,6,requires_grad=True); wq,wk,wv=(torch.randn(6,6)*.4 for _ in range(3))
q,k,v=x@wq,x@wk,x@wv
mask=torch.ones(5,5).tril().bool()
att=F.dropout(F.softmax((q@k.transpose(1,2)/6**.5).masked_fill(~mask,float('-inf')),dim=-1),p=0.3)
y=att@v
y.sum().backward()
print(float(y.sum()))
